"""The pages: each view takes a `Request` and returns a `Response`."""
