"""Learning: turns what people say of messages into lessons for spamd and into feedback in the journal."""
