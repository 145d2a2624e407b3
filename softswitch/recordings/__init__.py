"""What becomes of a recording after its call: compressed, encrypted, given a checksum, kept for its time.

The switch hands over a WAV file and goes on; everything here happens beside it, and what fails here leaves
the WAV file where it is.
"""
