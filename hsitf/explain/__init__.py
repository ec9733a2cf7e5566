"""What a network looks at: which bands and pixels of a patch its answer hangs on."""
