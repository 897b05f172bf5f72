"""What users see: names of the package and of Tensor, aliases of arguments, imports, errors for what is missing."""
