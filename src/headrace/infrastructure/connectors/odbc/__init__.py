"""Whatever has an ODBC driver, as a source: SQL Server, Oracle, Db2 and others. Not what a connector of its own reads better."""
