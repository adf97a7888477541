"""Tables of data lakes, Delta Lake and Apache Iceberg: how they are read and published to. What both share knows neither of them."""
