"""Pages that classify a scene in the browser, in LiteRT.js."""
