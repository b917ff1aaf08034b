module signer-launcher

go 1.23
