// Exists to have the precompiled header made.
