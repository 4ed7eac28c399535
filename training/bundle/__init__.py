"""What is promoted and served: files that prove themselves. Light."""
