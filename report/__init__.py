"""What people read of a case: one read-only model, rendered."""
