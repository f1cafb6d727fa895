"""The demo's sandbox without its process: what happens to payments, how requests are read, what its pages say."""
