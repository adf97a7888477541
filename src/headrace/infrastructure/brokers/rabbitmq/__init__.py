"""RabbitMQ: queues by AMQP 0-9-1 and streams by their own protocol, as source and sink."""
