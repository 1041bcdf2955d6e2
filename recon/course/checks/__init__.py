"""What each exercise's answer is held against: one module per lesson, `lesson_00` and on."""
