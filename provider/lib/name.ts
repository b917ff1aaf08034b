const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/** What {@link isName} asks for, in words. */
export const NAME_RULE = '1 to 64 letters, digits, "_", "." and "-", the first neither "." nor "-"';

/**
 * Whether a text may name a trust policy or a plugin. It is the name of a file as well, so it is no hidden file, no
 * directory above, and no option of a command.
 */
export const isName = (text: string): boolean => NAME.test(text);
