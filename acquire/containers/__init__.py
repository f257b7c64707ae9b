"""One module a container format; `open_image` and `create` choose among them."""
