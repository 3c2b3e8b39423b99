"""MIME (RFC 2045 to 2047, 2231): the structure of a message, as its octets pass by, to its parts and their names."""
