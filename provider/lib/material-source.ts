/** What a TLS server is made of, as PEM. */
export interface PemTexts {
  /** Serving certificate, with its intermediates behind it. */
  readonly certificate: string;
  readonly key: string;
  /** Roots of the callers' certificates, one or more. */
  readonly clientCA: string;
}

/** Where a TLS server finds its certificates: files, or what the provider itself keeps in memory. */
export interface MaterialSource {
  /** What there is now. Rejects when it cannot be read. */
  readonly read: () => Promise<PemTexts>;
  /** Calls back whenever there may be something else, which is read at once. */
  readonly watch: (onChange: () => void) => Disposable;
}
