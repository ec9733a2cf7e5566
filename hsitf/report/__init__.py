"""Records to one page: what a run or a study found, told to people; TensorFlow is not loaded."""
