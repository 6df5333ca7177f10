print("my project")
