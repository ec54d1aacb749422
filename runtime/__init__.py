"""Executes, never compiles: executables, memory, loading, the thread pool."""
