import recon as recon  # before TensorFlow, which then starts without a word
