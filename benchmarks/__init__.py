"""Speed and accuracy of lambdascope beside its peers, measured in one run; none of it a test."""
