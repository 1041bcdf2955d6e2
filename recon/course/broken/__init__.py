"""Wrong functions that learners catch, and checks that catch them: one module per lesson."""
