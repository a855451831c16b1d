"""What an author declares: events, commands, entities and projections."""
