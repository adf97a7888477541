"""Whatever is asked by HTTP: connections, trust, redirects, faults. One set of rules for APIs and for files. Not what answers mean."""
