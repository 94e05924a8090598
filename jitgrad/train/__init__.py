"""Training by Keras' names and meaning."""
