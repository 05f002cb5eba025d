"""What each rule of metadata quality demands, by the part of a course that it looks at; see `catalog.quality`."""
