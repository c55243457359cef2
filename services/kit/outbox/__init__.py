"""The transactional outbox: an event is written with its fact, and relayed in order afterwards."""
