"""Recognizing attention in StableHLO, and making `structured.attention` of what was recognized."""
