"""How few bits a network bears: simulation of linear quantization, and means against its cost."""
