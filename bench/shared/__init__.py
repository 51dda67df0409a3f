"""What the benches share. Not a bench: ``make bench`` runs the files beside this folder."""
