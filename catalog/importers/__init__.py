"""One module a file format: each turns a file into courses or events, and refuses bad rows by line."""
