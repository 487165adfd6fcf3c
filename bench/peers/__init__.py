"""The alternatives that we compare with, each set up as its documentation says.

Each folder has one peer: its application, its locked dependencies, and a README that names the pages it was
set up by. `install` puts the dependencies into an untracked folder beside it on first use; the product does
not depend on them. A peer that cannot be installed here is skipped, with a line that says so.
"""
