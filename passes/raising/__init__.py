"""Recognizing what a program computes: patterns over step 1, and what is found as a composite."""
