print("the service")
