"""What users see: names of the package and of Tensor, spellings of arguments, imports, errors for what is missing."""
