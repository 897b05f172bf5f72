"""What torch.distributions is made of, a file a family."""
