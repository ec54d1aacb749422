"""What a kernel of step 3 computes and moves."""
