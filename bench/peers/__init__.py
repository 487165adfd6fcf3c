"""What people would pick instead, set up as its own documentation says.

Each folder holds one peer: its application, what it needs (locked), and a README that names the pages it was
set up by. `install` brings the needs into an untracked folder beside it on first use; nothing of them is a
dependency of the product. A peer that cannot be installed here is skipped, with a line that says so.
"""
