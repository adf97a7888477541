"""What the durable orchestrator costs: the pieces that `bench/orchestration.py` measures, one module for each."""
