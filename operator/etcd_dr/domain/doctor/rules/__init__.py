"""The doctor's rules, one family a file; `evaluation` lists them."""
