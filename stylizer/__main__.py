from stylizer.cli import main

main()
