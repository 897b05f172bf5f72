"""Who sees a write: every function that makes views, of every kind of memory, against PyTorch's golden.json."""
