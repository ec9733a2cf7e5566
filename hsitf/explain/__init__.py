"""What a network looks at: its explanations, before and after compression, and its drawing."""
