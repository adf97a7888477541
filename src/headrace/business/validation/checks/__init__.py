"""The checks of an audit: each asks for aggregates over staged data and judges them. They see no row and do no I/O."""
