# Not to be committed. This file (used by services/reconcile.py, created 03:41) was overwritten by mistake at
# 03:46 while the pages of web/ were being written, and was in no commit. Its author has to put it back.
# The pages' own code is now in store/resolving.py; nothing else needs this path.
raise ImportError(
    "store/held.py was overwritten by mistake and must be restored by its author (see its comment)"
)
