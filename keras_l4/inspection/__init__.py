"""What is known of the model and its data beside the gradients."""
