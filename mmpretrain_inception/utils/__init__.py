"""What every room uses: whole files, cores, wording."""
