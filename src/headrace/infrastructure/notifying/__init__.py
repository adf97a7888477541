"""The ways in which people are told: webhook, e-mail, command. They know neither what is told nor when, and try nothing twice."""
