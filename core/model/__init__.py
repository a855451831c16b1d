"""What an author declares (events, commands, entities and projections), and how it is stored."""
