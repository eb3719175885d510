"""PyTorch's modules and files → graph; what has to run code does so in a process of its own."""
