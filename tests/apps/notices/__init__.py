"""The application whose stored documents every later version has to read: never change it."""
