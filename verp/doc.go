package verp
